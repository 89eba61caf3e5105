# What `cmake --install` puts down besides the command: libraries, headers, and what find_package(pgsluice) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

get_property(libraries GLOBAL PROPERTY PGSLUICE_LIBRARIES)
install(TARGETS ${libraries} EXPORT pgsluiceTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/pgsluice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/pgsluice)
install(EXPORT pgsluiceTargets NAMESPACE pgsluice:: DESTINATION ${package_folder})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/pgsluiceConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/pgsluiceConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pgsluiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pgsluiceConfig.cmake ${PROJECT_BINARY_DIR}/pgsluiceConfigVersion.cmake
        DESTINATION ${package_folder})
